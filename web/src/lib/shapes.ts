// One shape for each kind of incident, the same in the queue and on the map, so
// that nothing depends on colour alone. Points lie in a box of 24 by 24.

export type Points = ReadonlyArray<readonly [number, number]>

function regular(corners: number, turn: number, radius = 10): Points {
  return Array.from({ length: corners }, (_, i) => {
    const angle = ((i + turn) / corners) * 2 * Math.PI - Math.PI / 2
    const at = (v: number) => Math.round(v * 100) / 100
    return [at(12 + radius * Math.cos(angle)), at(12 + radius * Math.sin(angle))] as const
  })
}

const shapes: Record<string, Points> = {
  intruder: regular(4, 0, 10.5),
  hold_up: regular(8, 0.5),
  network_attack: regular(6, 0),
  fire: [
    [12, 2],
    [22.5, 20.5],
    [1.5, 20.5],
  ],
  medical: [
    [8, 2.5],
    [16, 2.5],
    [16, 8],
    [21.5, 8],
    [21.5, 16],
    [16, 16],
    [16, 21.5],
    [8, 21.5],
    [8, 16],
    [2.5, 16],
    [2.5, 8],
    [8, 8],
  ],
  tamper: regular(4, 0.5, 12),
  fault: regular(24, 0, 8.5),
}

const other: Points = regular(5, 0)

/** The outline of a kind; kinds without one of their own share a pentagon. */
export function shape(kind: string): Points {
  return shapes[kind] ?? other
}

/** The outline in the words of an SVG polygon's points attribute. */
export function svgPoints(kind: string): string {
  return shape(kind)
    .map(([x, y]) => `${x},${y}`)
    .join(' ')
}
