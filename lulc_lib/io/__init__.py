"""What every room needs of files: checks before reading, and writing whole or not at all."""

from lulc_lib.io.files import existing_file, existing_folder, written_whole

__all__ = ["existing_file", "existing_folder", "written_whole"]
