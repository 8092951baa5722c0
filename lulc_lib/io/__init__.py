"""What every room needs of files and of the network, each mechanism once."""

from lulc_lib.io.files import (
    Output,  # type of an output's path, or of several that belong together
    check_outputs,  # refuses paths that cannot be written, and all that would replace an input
    existing_file,  # a path that is there, or an error
    existing_folder,  # the same for a folder
    keep,  # what somebody changed gets another name before it would be replaced
    made_folder,  # a folder that is removed again where nothing came of it
    replace,  # a finished file gets its name
    sha256,  # of a file
    unfinished,  # a locked folder for files in the making; what killed runs left is swept
    with_siblings,  # a path and what is written beside it
    writing,  # errors of the disk become InputError
    written_whole,  # a file appears complete or not at all
)

# The HTTP client is lulc_lib.io.http, imported only by what asks a server.
