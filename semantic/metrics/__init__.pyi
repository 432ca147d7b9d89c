from .catalog import EMBEDDING_METRICS as EMBEDDING_METRICS
from .catalog import IMAGE_METRICS as IMAGE_METRICS
from .catalog import METRICS as METRICS
from .catalog import NETWORK_METRICS as NETWORK_METRICS
from .catalog import TEXT_METRICS as TEXT_METRICS
from .catalog import Measure as Measure
from .catalog import describe as describe
from .catalog import measure as measure
