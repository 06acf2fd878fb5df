// The slide itself: OpenSeadragon over the server's tiles, and the layers that follow its view.

const { OpenSeadragon } = window;
export const TWICE_PX = 8; // CSS px: two clicks nearer than this may be one double-click

export class SlideView {
  constructor(host) {
    this.host = host;
    this.layers = [];
    withoutOwnStyle();
    this.viewer = OpenSeadragon({
      element: host,
      drawer: "canvas", // of the three it needs no graphics card, and only it draws tiles without WebGL
      showNavigationControl: false, // its buttons are pictures from a folder of its own
      showNavigator: false,
      animationTime: 0.3,
      springStiffness: 10,
      zoomPerScroll: 1.3,
      minZoomImageRatio: 0.5,
      maxZoomPixelRatio: 4,
      visibilityRatio: 0.2,
      immediateRender: true,
      preload: false,
      imageLoaderLimit: 6,
      tileRetryMax: 5, // a slow disk's tiles come late, and are asked for again
      tileRetryDelay: 2000,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, dblClickDistThreshold: TWICE_PX },
    });
    this.viewer.addHandler("update-viewport", () => this.#drawLayers());
    this.viewer.addHandler("resize", () => this.redraw());
    this.viewer.addHandler("tile-load-failed", () => {
      const { lost } = this;
      this.lost = null;
      lost?.().catch(() => {});
    });
  }

  // Show a slide; resolves once it can be drawn. `base` is its address, `info` its info.json; `lost()` is called once a tile
  // can't be had.
  open(base, info, lost) {
    Object.assign(this, { info, lost });
    // In an export the finest level may be one below the slide's own: its size needn't be a whole number of px.
    const { tile_px: tileSize, first_level: minLevel, top_level: top, finest_level: maxLevel = top } = info.zoom;
    const [width, height] = [info.width / 2 ** (top - maxLevel), info.height / 2 ** (top - maxLevel)];
    const source = info.gone
      ? { width, height, tileSize, minLevel: maxLevel + 1, maxLevel, tileOverlap: 0, getTileUrl: () => "" }
      : {
        width, height, tileSize, minLevel, maxLevel, tileOverlap: 0,
        getTileUrl: (level, x, y) => `${base}tiles/${level}/${x}_${y}.jpg`,
      };
    return new Promise((resolve, reject) => {
      this.viewer.addOnceHandler("open", resolve);
      this.viewer.addOnceHandler("open-failed", (event) => reject(new Error(event.message)));
      this.viewer.open(source);
    });
  }

  // Let a layer draw whenever the view moves: `layer.draw(view)`.
  add(layer) {
    this.layers.push(layer);
    this.redraw();
  }

  remove(layer) { this.layers = this.layers.filter((one) => one !== layer); }

  redraw() { this.viewer.forceRedraw(); }

  // What is in view: the upper left corner in level-0 px, CSS px per level-0 px, and the size in CSS px.
  get view() {
    const bounds = this.viewer.viewport.getBoundsNoRotate(true);
    const size = this.viewer.viewport.getContainerSize();
    const { width } = this.info;
    return {
      left: bounds.x * width,
      top: bounds.y * width, // OpenSeadragon measures both in widths of the slide
      zoom: size.x / (bounds.width * width),
      width: size.x,
      height: size.y,
    };
  }

  // A point of the host (CSS px) in level-0 px.
  toSlide(x, y) {
    const { left, top, zoom } = this.view;
    return [left + x / zoom, top + y / zoom];
  }

  // Go where a rectangle (level-0 px) fills most of the view.
  fit(x, y, width, height) {
    const of = this.info.width;
    const room = 0.15 * Math.max(width, height);
    this.viewer.viewport.fitBounds(
      new OpenSeadragon.Rect((x - room) / of, (y - room) / of, (width + 2 * room) / of, (height + 2 * room) / of),
    );
  }

  #drawLayers() {
    const { view } = this;
    for (const layer of this.layers) layer.draw(view);
  }
}

// OpenSeadragon adds a style to the page unless it finds its own there; the policy forbids styles that aren't files. What it
// finds here has the name of one, and is none.
function withoutOwnStyle() {
  const found = document.createElementNS("urn:wsi-edt", "style");
  found.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(found);
}
