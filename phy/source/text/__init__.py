"""Coders of text: characters, tokens, Huffman and arithmetic codes."""
