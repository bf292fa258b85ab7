// The premises with connected alarms: clustered dots, quiet beneath the incidents.
import { Popup, type GeoJSONSource, type Map } from 'maplibre-gl'

import { getJSON } from '../lib/api'
import { base } from './palette'
import { fonts } from './style'

const source = 'premises'

/** The premises from the server; none when it cannot say. Never fails. */
export async function loadPremises(url: string): Promise<GeoJSON.FeatureCollection> {
  try {
    const data = (await getJSON(url)) as GeoJSON.FeatureCollection
    if (Array.isArray(data.features)) return data
  } catch {
    // The incidents matter more, and the board reports a lost server itself.
  }
  return { type: 'FeatureCollection', features: [] }
}

/** Adds the layer. */
export function addPremises(map: Map, data: GeoJSON.FeatureCollection, beneath: string): void {
  map.addSource(source, { type: 'geojson', data, cluster: true, clusterRadius: 36, clusterMaxZoom: 14 })
  map.addLayer(
    {
      id: 'premises-cluster',
      type: 'circle',
      source,
      filter: ['has', 'point_count'],
      paint: {
        'circle-radius': ['step', ['get', 'point_count'], 9, 25, 11, 100, 15],
        'circle-color': base.cluster,
        'circle-opacity': 0.9,
      },
    },
    beneath,
  )
  map.addLayer(
    {
      id: 'premises-count',
      type: 'symbol',
      source,
      filter: ['has', 'point_count'],
      layout: { 'text-field': ['get', 'point_count_abbreviated'], 'text-font': [...fonts], 'text-size': 10 },
      paint: { 'text-color': base.clusterText },
    },
    beneath,
  )
  map.addLayer(
    {
      id: 'premises',
      type: 'circle',
      source,
      filter: ['!', ['has', 'point_count']],
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 13, 2.5, 17, 5],
        'circle-color': base.premises,
        'circle-stroke-color': base.halo,
        'circle-stroke-width': 1,
      },
    },
    beneath,
  )
  name(map)
  expand(map)
}

/** Shows a premises' name while the pointer rests on it. */
function name(map: Map): void {
  const popup = new Popup({ closeButton: false, closeOnClick: false, offset: 8 })
  map.on('mouseenter', 'premises', (event) => {
    const feature = event.features?.[0]
    const text: unknown = feature?.properties['name']
    if (feature?.geometry.type !== 'Point' || typeof text !== 'string' || text === '') return
    const [lon, lat] = feature.geometry.coordinates
    if (lon === undefined || lat === undefined) return
    popup.setLngLat([lon, lat]).setText(text).addTo(map)
  })
  map.on('mouseleave', 'premises', () => popup.remove())
}

/** A click on a cluster goes as near as it takes to see it apart. */
function expand(map: Map): void {
  map.on('click', 'premises-cluster', (event) => {
    const feature = event.features?.[0]
    const cluster: unknown = feature?.properties['cluster_id']
    if (feature?.geometry.type !== 'Point' || typeof cluster !== 'number') return
    const [lon, lat] = feature.geometry.coordinates
    if (lon === undefined || lat === undefined) return
    void map
      .getSource<GeoJSONSource>(source)
      ?.getClusterExpansionZoom(cluster)
      .then((zoom) => map.easeTo({ center: [lon, lat], zoom }))
      .catch(() => undefined)
  })
}
