"""The Ki-67 index of a slide's cells, and what a slide's result is made of."""
