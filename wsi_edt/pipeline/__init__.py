"""The run: from a folder of slides to a folder of results, on as many workers as there are."""
