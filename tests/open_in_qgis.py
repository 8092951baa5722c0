"""Open files in QGIS, as a user's drag and drop would, and print what it makes of them as JSON.

Run by the Python that QGIS comes with: open_in_qgis.py FOLDER SOURCE … A picture of each source, on
magenta, is written to FOLDER. A source is a path, or PATH|layername=NAME.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage

SIZE, GROUND = 500, "#ff00ff"


def opened(source):
    path, _, layer = source.partition("|layername=")
    name = layer or Path(path).stem
    return (QgsRasterLayer(source, name) if path.endswith(".tif")
            else QgsVectorLayer(source, name, "ogr"))


def picture(layer):
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setBackgroundColor(QColor(GROUND))
    settings.setOutputSize(QSize(SIZE, SIZE))
    settings.setDestinationCrs(layer.crs())
    extent = layer.extent()
    extent.grow(0.05 * max(extent.width(), extent.height()) or 0.01)
    settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def colours(image):
    """Number of pixels of each colour."""
    image = image.convertToFormat(QImage.Format_RGB32)
    data = image.constBits().asstring(4 * SIZE * SIZE)  # blue, green, red, nothing
    counts = Counter(data[i:i + 3] for i in range(0, len(data), 4))
    return {f"#{bgr[::-1].hex()}": n for bgr, n in counts.items()}


def vector(layer):
    return {"geometry": layer.geometryType(), "features": layer.featureCount(),
            "display": layer.displayExpression(), "labels": layer.labelsEnabled(),
            "crs": layer.crs().authid(),
            "types": {f.name(): f.typeName() for f in layer.fields()},
            "aliases": {f.name(): f.alias() for f in layer.fields()},
            "legend": [i.label() for i in layer.renderer().legendSymbolItems()]}


def raster(layer):
    return {"bands": layer.renderer().usesBands(),
            "legend": [i[0] for i in layer.renderer().legendSymbologyItems()]}


def main(folder, sources):
    application = QgsApplication([], False)
    application.initQgis()
    said, out = [], {}
    gdal.PushErrorHandler(lambda kind, number, text: said.append(text))
    QgsApplication.messageLog().messageReceived.connect(
        lambda text, tag, level: said.append(f"{tag}: {text}"))
    for number, source in enumerate(sources):
        layer = opened(source)
        assert layer.isValid(), source
        image = picture(layer)
        image.save(str(Path(folder) / f"{number:02d}_{layer.name()}.png"))
        found = (raster if isinstance(layer, QgsRasterLayer) else vector)(layer)
        out[source] = {**found, "colours": colours(image), "said": list(said)}
        said.clear()
        QgsProject.instance().addMapLayer(layer)  # kept until the end, as QGIS does
    print(json.dumps(out))


main(sys.argv[1], sys.argv[2:])
