from .channel import Channel as Channel
from .channel import SymbolReception as SymbolReception
from .flat import AWGN as AWGN
from .flat import Rayleigh as Rayleigh
from .flat import Rician as Rician
from .names import parse_channel as parse_channel
from .tdl import TDL as TDL
