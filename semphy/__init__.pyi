from benchmarks import *
from bridge import *
from phy import *
from semantic import *
