"use strict";
// Tables as CSV files, made in the page. A text that a spreadsheet would run as a formula gets an apostrophe in front.
{
  const cell = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  slalom.csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

  slalom.save = (name, rows) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([slalom.csv(rows)], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
}
