"""What a pathologist looks at: the overview with its cells, a page per slide, a page for the batch."""
