from .fcn import FCN as FCN
from .fcn_mobilenet import MobileNetFCN as MobileNetFCN
from .jscc import load_jscc as load_jscc
from .jscc_codec import JSCC as JSCC
from .jscc_convolutional import ADJSCC as ADJSCC
from .jscc_convolutional import DeepJSCC2019 as DeepJSCC2019
from .jscc_nested import NestedJSCC as NestedJSCC
