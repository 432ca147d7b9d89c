from .missing import WeightsMissing as WeightsMissing
from .presets import BUNDLES as BUNDLES
from .presets import PRESETS as PRESETS
from .presets import Preset as Preset
from .presets import fetch as fetch
from .presets import resolve as resolve
