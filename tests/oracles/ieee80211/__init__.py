"""IEEE Std 802.11-2020, clause 17.3.5.6: convolutional encoder and puncturing, written from its figures."""
