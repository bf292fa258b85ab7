// The base map's style: land and sea, parks, buildings and streets, drawn from
// one GeoJSON file of the server's own. There is no glyphs URL: MapLibre then
// draws labels with the fonts of the machine it runs on.
import type {
  ExpressionFilterSpecification,
  ExpressionSpecification,
  LayerSpecification,
  StyleSpecification,
} from 'maplibre-gl'

import { base } from './palette'

export const baseSource = 'base'

/** Font stack for labels; CSS families, since no font server is asked. */
export const fonts = ['system-ui', 'sans-serif']

function classed(...names: string[]): ExpressionFilterSpecification {
  return ['in', ['get', 'class'], ['literal', names]]
}

function areas(...names: string[]): ExpressionFilterSpecification {
  return ['all', ['==', ['geometry-type'], 'Polygon'], classed(...names)]
}

const roads = ['road-major', 'road-minor', 'street', 'path']

// A street's width in pixels at zooms 12, 15 and 18; main streets are wider and
// paths thinner. "kind" is optional in the data.
function width(extra: number): ExpressionSpecification {
  const at = (minor: number): ExpressionSpecification => [
    'match',
    ['get', 'kind'],
    ['main', 'primary', 'secondary'],
    minor * 2 + extra,
    ['path', 'footway', 'cycleway'],
    minor * 0.4 + extra,
    minor + extra,
  ]
  return ['interpolate', ['exponential', 1.6], ['zoom'], 12, at(0.8), 15, at(3), 18, at(14)]
}

const surfaces: LayerSpecification[] = [
  { id: 'land', type: 'fill', source: baseSource, filter: areas('land', 'coast'), paint: { 'fill-color': base.land } },
  { id: 'park', type: 'fill', source: baseSource, filter: areas('park'), paint: { 'fill-color': base.park } },
  { id: 'beach', type: 'fill', source: baseSource, filter: areas('beach'), paint: { 'fill-color': base.beach } },
  { id: 'pier', type: 'fill', source: baseSource, filter: areas('pier'), paint: { 'fill-color': base.building } },
  { id: 'water', type: 'fill', source: baseSource, filter: areas('water'), paint: { 'fill-color': base.water } },
  {
    id: 'coast',
    type: 'line',
    source: baseSource,
    filter: classed('coast', 'land'),
    paint: { 'line-color': base.coast, 'line-width': 1.5 },
  },
  {
    id: 'stream',
    type: 'line',
    source: baseSource,
    filter: ['all', ['==', ['geometry-type'], 'LineString'], classed('water')],
    paint: { 'line-color': base.water, 'line-width': 3 },
  },
]

const streets: LayerSpecification[] = [
  {
    id: 'street',
    type: 'line',
    source: baseSource,
    filter: classed(...roads),
    layout: { 'line-cap': 'round', 'line-join': 'round' },
    paint: {
      'line-color': [
        'match',
        ['get', 'kind'],
        ['main', 'primary', 'secondary'],
        base.mainStreet,
        ['path', 'footway', 'cycleway'],
        base.path,
        base.street,
      ],
      'line-width': width(0),
    },
  },
  {
    id: 'building',
    type: 'fill',
    source: baseSource,
    minzoom: 13,
    filter: areas('building', 'building-public'),
    paint: { 'fill-color': base.building, 'fill-outline-color': base.buildingEdge },
  },
]

const labels: LayerSpecification[] = [
  {
    id: 'street-name',
    type: 'symbol',
    source: baseSource,
    minzoom: 14,
    filter: ['all', classed(...roads), ['has', 'name']],
    layout: {
      'symbol-placement': 'line',
      'symbol-spacing': 320,
      'text-field': ['get', 'name'],
      'text-font': fonts,
      'text-size': ['interpolate', ['linear'], ['zoom'], 14, 10.5, 18, 14],
      'text-letter-spacing': 0.02,
      'text-max-angle': 30,
    },
    paint: { 'text-color': base.label, 'text-halo-color': base.halo, 'text-halo-width': 1.4 },
  },
  {
    id: 'area-name',
    type: 'symbol',
    source: baseSource,
    minzoom: 12,
    filter: ['all', areas('park', 'water', 'building-public'), ['has', 'name']],
    layout: {
      'text-field': ['get', 'name'],
      'text-font': fonts,
      'text-size': 12,
      'text-max-width': 7,
    },
    paint: {
      'text-color': ['match', ['get', 'class'], 'water', base.waterLabel, base.label],
      'text-halo-color': base.halo,
      'text-halo-width': 1.2,
    },
  },
]

/** The style of a map whose base data is at hand; island says that the data draws its own land. */
export function baseStyle(data: GeoJSON.FeatureCollection, island: boolean): StyleSpecification {
  return {
    version: 8,
    sources: { [baseSource]: { type: 'geojson', data, tolerance: 0.2 } },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': island ? base.sea : base.land } },
      ...surfaces,
      ...streets,
      ...labels,
    ],
  }
}
