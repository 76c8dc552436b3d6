"""Nothing but a repair: pyproject.toml says the rest.

`pip install` puts the files of jupyter_settings/ where Jupyter reads its settings. setuptools leaves such data
files out of an editable install (`pip install -e`), because it asks the distribution for `has_data`, and the
method is called `has_data_files`.
"""

from setuptools import Distribution, setup

if not hasattr(Distribution, "has_data"):
    Distribution.has_data = Distribution.has_data_files

setup()
