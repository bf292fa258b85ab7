// The incidents on a map: a source, its layers, the ring around the chosen one
// and pulses for what has just changed.
import { Marker, type GeoJSONSource, type Map } from 'maplibre-gl'

import { hasPlace, type Incident } from '../lib/incident'
import { drawsInSoftware } from './create'
import { drawOnDemand, iconName } from './icons'
import { base, gradeColour } from './palette'
import { fonts } from './style'

const source = 'incidents'

/** At most so many pulses at once: in a flood they would say nothing. */
const maxPulses = 8

/** The map is drawn again no more often than this, in milliseconds. */
const redraw = 250

/** Without a graphics card every redraw holds up the whole page, the queue too. */
const redrawInSoftware = 1500

/** Ranks up to this are written beside their markers. */
const numbered = 9

export class IncidentLayer {
  #map: Map
  #ring: Marker
  #ringShown = false
  #pulses = new Set<Marker>()
  #next: readonly Incident[] | undefined
  #resting = false
  #software: boolean

  /** The map's style must have loaded. chosen is told which incident was clicked. */
  constructor(map: Map, chosen: (id: string) => void) {
    this.#map = map
    this.#software = drawsInSoftware(map)
    this.#ring = new Marker({ element: decoration('map-ring') })
    drawOnDemand(map)
    map.addSource(source, { type: 'geojson', data: collection([]) })
    addLayers(map)
    map.on('click', 'incident', (event) => {
      // Of markers in one spot, the most urgent: the one drawn on top.
      const top = [...(event.features ?? [])].sort((a, b) => Number(a.properties['rank']) - Number(b.properties['rank']))[0]
      const id: unknown = top?.properties['id']
      if (typeof id === 'string') chosen(id)
    })
    // How many are drawn now, for whoever cannot look at pixels.
    map.on('idle', () => (map.getContainer().dataset['drawn'] = String(map.queryRenderedFeatures({ layers: ['incident'] }).length)))
    map.on('mouseenter', 'incident', () => (map.getCanvas().style.cursor = 'pointer'))
    map.on('mouseleave', 'incident', () => (map.getCanvas().style.cursor = ''))
  }

  /** Shows incidents in the order of the queue: at once, or after the rest from the last time. */
  show(ordered: readonly Incident[]): void {
    this.#next = ordered
    if (this.#resting) return
    this.#resting = true
    this.#draw()
  }

  #draw(): void {
    if (this.#next === undefined) {
      this.#resting = false
      return
    }
    this.#map.getSource<GeoJSONSource>(source)?.setData(collection(this.#next))
    this.#next = undefined
    setTimeout(() => this.#draw(), this.#software ? redrawInSoftware : redraw)
  }

  choose(incident: Incident | undefined): void {
    if (incident === undefined || !hasPlace(incident)) {
      this.#ring.remove()
      this.#ringShown = false
      return
    }
    this.#ring.setLngLat([incident.place.lon, incident.place.lat])
    if (!this.#ringShown) this.#ring.addTo(this.#map)
    this.#ringShown = true
  }

  pulse(incident: Incident): void {
    if (!hasPlace(incident) || this.#software || this.#pulses.size >= maxPulses) return
    const element = decoration('map-pulse')
    element.style.setProperty('--pulse', gradeColour(incident.grade))
    const marker = new Marker({ element }).setLngLat([incident.place.lon, incident.place.lat]).addTo(this.#map)
    this.#pulses.add(marker)
    const end = () => {
      marker.remove()
      this.#pulses.delete(marker)
    }
    element.addEventListener('animationend', end)
    // A hidden page plays no animation, so its end never comes.
    setTimeout(end, 6000)
  }
}

/** An element that only decorates: the queue says in words what it shows. */
function decoration(name: string): HTMLElement {
  const element = document.createElement('div')
  element.className = name
  element.setAttribute('aria-hidden', 'true')
  return element
}

/** The incidents that have a place, as points. */
export function collection(ordered: readonly Incident[]): GeoJSON.FeatureCollection<GeoJSON.Point> {
  const features: GeoJSON.Feature<GeoJSON.Point>[] = []
  ordered.forEach((incident, index) => {
    if (!hasPlace(incident)) return
    features.push({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [incident.place.lon, incident.place.lat] },
      properties: {
        id: incident.id,
        rank: index + 1,
        label: index < numbered ? String(index + 1) : '',
        icon: iconName(incident.kind, incident.grade),
        colour: gradeColour(incident.grade),
        urgent: incident.grade === 'immediate' || incident.grade === '',
      },
    })
  })
  return { type: 'FeatureCollection', features }
}

function addLayers(map: Map): void {
  map.addLayer({
    id: 'incident-glow',
    type: 'circle',
    source,
    filter: ['get', 'urgent'],
    paint: { 'circle-radius': 34, 'circle-color': ['get', 'colour'], 'circle-opacity': 0.22, 'circle-blur': 0.9 },
  })
  map.addLayer({
    id: 'incident',
    type: 'symbol',
    source,
    layout: {
      'icon-image': ['get', 'icon'],
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
      'icon-size': ['interpolate', ['linear'], ['zoom'], 11, 0.65, 15, 1],
      'symbol-sort-key': ['-', 0, ['get', 'rank']],
      'text-field': ['get', 'label'],
      'text-font': [...fonts],
      'text-size': 13,
      'text-offset': [1.5, -1],
      'text-allow-overlap': true,
      'text-ignore-placement': true,
    },
    paint: { 'text-color': base.rank, 'text-halo-color': base.halo, 'text-halo-width': 2 },
  })
}
