"""What every room needs of files and of the network, each mechanism once."""

from lulc_lib.io.files import check_outputs, existing_file, existing_folder, written_whole

__all__ = [
    "check_outputs",  # refuses paths that cannot be written
    "existing_file",  # a path that is there, or an error
    "existing_folder",  # the same for a folder
    "written_whole",  # a file appears complete or not at all
]
# The HTTP client is lulc_lib.io.http, imported only by what asks a server.
