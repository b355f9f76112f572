"""Entry point of the confined process: `python -I -S .../worker CONTROL_FD CONFIG_JSON`.

Started isolated and without site-packages; the judge says which folders packages come from. The
package is loaded by hand, so that the folder above it never enters the import path.
"""

import importlib.util
import json
import os
import sys

if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "dojo_worker", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["dojo_worker"] = package
    spec.loader.exec_module(package)
    config = json.loads(sys.argv[2])
    sys.path[:] = [path for path in sys.path if path != folder] + config["packages"]
    control_fd = int(sys.argv[1])
    sys.argv[:] = [""]

    from dojo_worker import server

    server.main(control_fd, config)
