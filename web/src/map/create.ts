// Making a map: base data, worker and the manners all our maps share.
import 'maplibre-gl/dist/maplibre-gl.css'
import './map.css'
import { Map, NavigationControl, ScaleControl, setWorkerUrl } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url'

import { getJSON } from '../lib/api'
import { baseStyle } from './style'

// The worker is a file of our own origin: worker-src 'self' is all it needs.
setWorkerUrl(new URL(workerUrl, location.href).href)

export type Bounds = [west: number, south: number, east: number, north: number]

export interface Base {
  data: GeoJSON.FeatureCollection
  bounds: Bounds | undefined
  attribution: string
}

const none: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }

/** The base map from the server. Never fails: a map without streets is still a map. */
export async function loadBase(url: string): Promise<Base> {
  try {
    const data = (await getJSON(url)) as GeoJSON.FeatureCollection & { attribution?: unknown }
    if (!Array.isArray(data.features)) return { data: none, bounds: undefined, attribution: '' }
    return {
      data,
      bounds: boundsOf(data),
      attribution: typeof data.attribution === 'string' ? data.attribution : '',
    }
  } catch {
    return { data: none, bounds: undefined, attribution: '' }
  }
}

/** The smallest box around a collection, from its bbox or its coordinates. */
export function boundsOf(data: GeoJSON.FeatureCollection): Bounds | undefined {
  if (data.bbox?.length === 4) return data.bbox
  const box: Bounds = [Infinity, Infinity, -Infinity, -Infinity]
  const take = (coordinates: unknown): void => {
    if (!Array.isArray(coordinates)) return
    const [x, y] = coordinates as unknown[]
    if (typeof x === 'number' && typeof y === 'number') {
      box[0] = Math.min(box[0], x)
      box[1] = Math.min(box[1], y)
      box[2] = Math.max(box[2], x)
      box[3] = Math.max(box[3], y)
      return
    }
    coordinates.forEach(take)
  }
  for (const feature of data.features) {
    if (feature.geometry !== null && 'coordinates' in feature.geometry) take(feature.geometry.coordinates)
  }
  return box[0] <= box[2] ? box : undefined
}

/** The box of points alone, for a map without a base: no nearer than a few streets. */
export function fitted(bounds: Bounds): { bounds: Bounds; fitBoundsOptions: { padding: number; maxZoom: number } } {
  return { bounds, fitBoundsOptions: { padding: 48, maxZoom: 15 } }
}

export interface Options {
  container: HTMLElement
  base: Base
  /** What a screen reader calls the map. */
  label: string
  /** Where to look first; without it, the whole base map. */
  center?: [lon: number, lat: number]
  /** What to look at when the base map is empty; without it, the world. */
  fallback?: Bounds | undefined
  zoom?: number
  /** Scrolling the page must not zoom a small map by accident. */
  scrollZoom?: boolean
}

/** Makes a map. Throws where the browser has no WebGL: the caller says so in words. */
export function createMap({ container, base, label, center, zoom, fallback, scrollZoom = true }: Options): Map {
  const island = base.data.features.some(
    ({ geometry, properties }) =>
      (geometry?.type === 'Polygon' || geometry?.type === 'MultiPolygon') &&
      (properties?.['class'] === 'coast' || properties?.['class'] === 'land'),
  )
  const view =
    center !== undefined
      ? { center, zoom: zoom ?? 16 }
      : base.bounds !== undefined
        ? { bounds: base.bounds, fitBoundsOptions: { padding: 24 } }
        : fallback !== undefined
          ? fitted(fallback)
          : {}
  const map = new Map({
    container,
    style: baseStyle(base.data, island),
    ...view,
    maxZoom: 19,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    scrollZoom,
    locale: { 'Map.Title': label },
  })
  map.touchZoomRotate.disableRotation()
  map.keyboard.disableRotation()
  map.addControl(new NavigationControl({ showCompass: false }), 'top-left')
  map.addControl(new ScaleControl({ unit: 'metric' }), 'bottom-right')
  if (base.attribution !== '') {
    const credit = document.createElement('p')
    credit.className = 'map-credit'
    credit.textContent = base.attribution
    container.append(credit)
  }
  return map
}

/** Whether the browser draws without a graphics card, which is slow. */
export function drawsInSoftware(map: Map): boolean {
  const gl = map.getCanvas().getContext('webgl2')
  const info = gl?.getExtension('WEBGL_debug_renderer_info')
  if (!gl || !info) return false
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)))
}
