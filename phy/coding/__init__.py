"""Channel codes: 5G LDPC, polar, convolutional, turbo, uncoded, and transport blocks made of them."""
