"""`python -m slalom` is `slalom`."""

from slalom.cli import main

if __name__ == "__main__":
    main()
