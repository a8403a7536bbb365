"""What can be read on a figure, and where it lies."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def texts(figure):
    """Every word on it."""
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def check_readable(figure):
    """Raises AssertionError where a word leaves the picture or lies on another."""
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    shown = [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]
    for axes in figure.axes:
        if axes.axison:
            shown += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                room = 1e-9 * (high - low)
                shown += [
                    t.label1
                    for t in axis.get_major_ticks()
                    if low - room <= t.get_loc() <= high + room and t.label1.get_visible()
                ]
        shown += axes.get_legend().get_texts() if axes.get_legend() else []
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in shown if t.get_text() and t.get_visible()]
    for text, box in boxes:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1
        assert inside, f"{text!r} leaves the picture: {box}"
    for i, (a, first) in enumerate(boxes):
        for b, second in boxes[i + 1 :]:
            assert not first.shrunk(0.9, 0.8).overlaps(second.shrunk(0.9, 0.8)), f"{a!r} and {b!r} lie on each other"
