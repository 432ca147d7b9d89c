"""What is drawn of links, and the curves of other programs beside them."""
