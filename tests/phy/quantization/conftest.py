"""A product quantiser for the tests of quantisation."""

from __future__ import annotations

import pytest

from phy.quantization import (
    ProductQuantizer,
)


@pytest.fixture(scope="module")
def product() -> ProductQuantizer:
    return ProductQuantizer.gaussian(2, 6)
