// Imports cells that wsi-edt found into the QuPath project that is open; slides that it lacks are added.
// Close the slides first: what is open in a viewer isn't seen here. Made for QuPath 0.4 and later.

import java.awt.image.BufferedImage
import java.util.zip.GZIPInputStream
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServerProvider
import qupath.lib.io.PathIO

def slides = [
@SLIDES@
]

def project = getProject()
if (project == null) {
    throw new IllegalStateException('Open a project, or create one, and run this again')
}
def isOf = { entry, file ->
    entry.getURIs().any { it.getScheme() == 'file' && new File(it.getPath()).getCanonicalFile() == file.getCanonicalFile() }
}
for (row in slides) {
    def file = new File(row.slide)
    def cells = new File(row.cells)
    if (!file.exists() || !cells.exists()) {
        println row.name + ': left out, as the slide or its cells are gone'
        continue
    }
    def entry = project.getImageList().find { isOf(it, file) }
    if (entry == null) {
        def support = ImageServerProvider.getPreferredUriImageSupport(BufferedImage.class, file.toURI().toString())
        if (support == null || support.getBuilders().isEmpty()) {
            println row.name + ': left out, as QuPath cannot open the slide'
            continue
        }
        entry = project.addImage(support.getBuilders().get(0))
        entry.setImageName(row.name)
    }
    def data = entry.readImageData()
    if (!data.getHierarchy().getDetectionObjects().isEmpty()) {
        println row.name + ': left as it is, as it has detections; delete them to import these'
        data.getServer().close()
        continue
    }
    if (row.dab) {
        data.setImageType(ImageData.ImageType.BRIGHTFIELD_H_DAB)
    }
    def stream = new FileInputStream(cells)
    def objects = null
    try {
        objects = PathIO.readObjectsFromGeoJSON(row.cells.endsWith('.gz') ? new GZIPInputStream(stream) : stream)
    } finally {
        stream.close()
    }
    data.getHierarchy().addObjects(objects)
    entry.saveImageData(data)
    data.getServer().close()
    println row.name + ': ' + objects.size() + ' cells'
}
project.syncChanges()
getQuPath()?.refreshProject()
