"""A results folder: its names, the store of each slide, what a finished slide leaves, the batch's table and page."""
