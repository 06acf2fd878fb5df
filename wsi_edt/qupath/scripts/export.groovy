// Exports all objects of the open QuPath project's slides, so that wsi-edt can tell what was edited.
// Save the slides first (File > Save): what is open in a viewer isn't seen here. Made for QuPath 0.4 and later.

import qupath.lib.io.PathIO

def slides = [
@SLIDES@
]

def project = getProject()
if (project == null) {
    throw new IllegalStateException('Open the project that was edited, and run this again')
}
for (row in slides) {
    def file = new File(row.slide)
    def entry = project.getImageList().find { one ->
        one.getURIs().any { it.getScheme() == 'file' && new File(it.getPath()).getCanonicalFile() == file.getCanonicalFile() }
    }
    if (entry == null || !entry.hasImageData()) {
        println row.name + ': left out, as the project has nothing of it'
        continue
    }
    def objects = entry.readHierarchy().getAllObjects(false)
    def edited = new File(row.folder, 'edited.geojson')
    PathIO.exportObjectsAsGeoJSON(edited, objects, PathIO.GeoJsonExportOptions.FEATURE_COLLECTION)
    println row.name + ': ' + objects.size() + ' objects. In a terminal: wsi-edt correct "' + row.folder + '" "' + edited + '"'
}
