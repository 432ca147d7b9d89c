from .analog import AnalogLink as AnalogLink
from .digital import BitReception as BitReception
from .digital import DigitalLink as DigitalLink
from .harq import HarqLDPC5G as HarqLDPC5G
from .harq import HarqLink as HarqLink
from .harq import HarqReception as HarqReception
from .iterative import IterativeLink as IterativeLink
from .passage import Passage as Passage
