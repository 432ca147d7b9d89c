"""Networks of our own: segmentation and joint source-channel coding."""
