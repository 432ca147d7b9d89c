from .base import SemanticSystem as SemanticSystem
from .catalog import SEMANTIC as SEMANTIC
from .catalog import build_semantic as build_semantic
from .catalog import build_systems as build_systems
from .context import Context as Context
from .system import Reconstruction as Reconstruction
from .system import Source as Source
from .system import System as System
