"""Systems that send what models make of a picture."""
