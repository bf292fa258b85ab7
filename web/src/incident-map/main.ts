// The small map on an incident's page:
//   <div data-island="incident-map" data-lat="…" data-lon="…" data-kind="…" data-grade="…"></div>
// data-label says in words where that is; data-base is the base map's address.
import { createMap, loadBase } from '../map/create'
import { drawOnDemand, iconName } from '../map/icons'
import type { Grade } from '../lib/incident'

async function show(target: HTMLElement): Promise<void> {
  const { lat, lon, kind = '', grade = '', label = 'Map of the place', base = '/api/v1/map/base' } = target.dataset
  const center: [number, number] = [Number(lon), Number(lat)]
  if (lat === undefined || lon === undefined || !center.every(Number.isFinite)) return
  const loaded = await loadBase(base)
  target.replaceChildren()
  try {
    const map = createMap({ container: target, base: loaded, label, center, zoom: 15.5, scrollZoom: false })
    drawOnDemand(map)
    map.once('load', () => {
      map.addSource('place', { type: 'geojson', data: { type: 'Point', coordinates: center } })
      map.addLayer({
        id: 'place',
        type: 'symbol',
        source: 'place',
        layout: { 'icon-image': iconName(kind, grade as Grade), 'icon-allow-overlap': true, 'icon-size': 1.2 },
      })
    })
  } catch {
    target.textContent = 'This browser cannot draw the map (it has no WebGL).'
  }
}

for (const target of document.querySelectorAll<HTMLElement>('[data-island="incident-map"]')) void show(target)
