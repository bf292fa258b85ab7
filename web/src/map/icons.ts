// The markers: a shape for the kind, a colour and a ring for the grade. Drawn
// once for each pair that occurs, when the map first asks for it.
import type { Map } from 'maplibre-gl'

import type { Grade } from '../lib/incident'
import { shape } from '../lib/shapes'
import { base, gradeColour } from './palette'

const ratio = 2
const size = 36

export function iconName(kind: string, grade: Grade): string {
  return `incident|${kind}|${grade}`
}

/** Draws what the style asks for and does not have; other names are not ours. */
export function drawOnDemand(map: Map): void {
  map.setMissingStyleImageResolver((id) => {
    const [ours, kind, grade] = id.split('|')
    if (ours !== 'incident' || kind === undefined || grade === undefined || map.hasImage(id)) return
    const image = draw(kind, grade as Grade)
    if (image !== undefined) map.addImage(id, image, { pixelRatio: ratio })
  })
}

function draw(kind: string, grade: Grade): ImageData | undefined {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size * ratio
  const pen = canvas.getContext('2d')
  if (pen === null) return undefined
  pen.scale(ratio, ratio)
  const colour = gradeColour(grade)

  // The most urgent wear a ring; nobody has judged the ungraded, so theirs is broken.
  pen.lineWidth = 2
  pen.strokeStyle = colour
  if (grade === 'immediate' || grade === '') {
    pen.setLineDash(grade === '' ? [4, 3.2] : [])
    pen.beginPath()
    pen.arc(size / 2, size / 2, 16, 0, 2 * Math.PI)
    pen.fillStyle = 'rgb(10 14 19 / 70%)'
    pen.fill()
    pen.stroke()
    pen.setLineDash([])
  }

  const scale = 0.9
  const offset = size / 2 - 12 * scale
  pen.beginPath()
  for (const [x, y] of shape(kind)) pen.lineTo(offset + x * scale, offset + y * scale)
  pen.closePath()
  pen.lineJoin = 'round'
  pen.lineWidth = 4
  pen.strokeStyle = base.halo
  pen.stroke()
  const filled = grade !== '' && grade !== 'resolved_without_deployment'
  pen.fillStyle = filled ? colour : base.building
  pen.fill()
  pen.lineWidth = 2
  pen.strokeStyle = colour
  pen.stroke()
  return pen.getImageData(0, 0, size * ratio, size * ratio)
}
