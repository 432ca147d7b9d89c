"""Systems that send a payload as it is: pictures, sentences and vectors over links, and their bounds."""
