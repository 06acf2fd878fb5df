// What the graphics card, or its stand-in, computes: a disc of its class's colour for each cell, and the density's picture.

// WebGL's points: `place` in level-0 px, `score`, `kind`. What doesn't pass is moved out of sight.
export const POINT_VERTEX = `#version 300 es
in vec2 place;
in float score;
in float kind;
uniform vec2 origin;    // the view's upper left corner, level-0 px
uniform vec2 scale;     // level-0 px to clip space
uniform float size;     // of a point, px of the canvas
uniform float threshold;
uniform vec4 colours[5]; // by kind; alpha 0: one that is hidden
flat out vec4 colour;
void main() {
  int k = int(kind);
  bool passes = score > threshold;
  colour = passes ? colours[k] : vec4(0.0);
  vec2 at = (place - origin) * scale - vec2(1.0, -1.0);
  gl_Position = passes && colour.a > 0.0 ? vec4(at, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = size;
}`;

// A disc with a white rim, so that it shows on nuclei of its own colour; without a rim where points are small.
export const POINT_FRAGMENT = `#version 300 es
precision mediump float;
flat in vec4 colour;
uniform highp float size; // as the vertices have it
out vec4 shown;
void main() {
  float r = length(gl_PointCoord - 0.5) * size;
  float edge = size * 0.5;
  float inside = clamp(edge - r + 0.5, 0.0, 1.0);
  float rim = size < 6.0 ? 0.0 : clamp(r - (edge - 2.0) + 0.5, 0.0, 1.0);
  float alpha = inside * colour.a;
  shown = vec4(mix(colour.rgb, vec3(1.0), rim) * alpha, alpha);
}`;

export const DENSITY_VERTEX = `#version 300 es
uniform vec2 origin;
uniform vec2 scale;
uniform vec2 extent; // of the texture, level-0 px
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  at = corner;
  gl_Position = vec4((corner * extent - origin) * scale - vec2(1.0, -1.0), 0.0, 1.0);
}`;

export const DENSITY_FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D density; // colour times alpha, alpha
in vec2 at;
out vec4 shown;
void main() { shown = texture(density, at); }`;
