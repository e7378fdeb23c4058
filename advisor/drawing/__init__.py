"""The flowchart drawn: as an outline to read and as an SVG."""
