"""The local viewer: a slide with its cells as a web page, served to the browser of whoever started it."""
