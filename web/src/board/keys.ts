// Which key asks for what.

export type Action = 'next' | 'previous' | 'open' | 'grade' | 'filter' | 'leave' | 'help'

const letterKeys: Record<string, Action> = { j: 'next', k: 'previous', g: 'grade', '/': 'filter', '?': 'help' }
const namedKeys: Record<string, Action> = { ArrowDown: 'next', ArrowUp: 'previous', Enter: 'open', Escape: 'leave' }

/**
 * What a key press asks of the board. Keys meant for something else are left
 * alone: those with a modifier, letters while someone writes, and arrows where
 * a field or the map uses them.
 */
export function keyAction(event: KeyboardEvent, letters: boolean): Action | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return undefined
  const target = event.target instanceof HTMLElement ? event.target : undefined
  if (event.key === 'Escape') return 'leave'
  if (target !== undefined && (target.isContentEditable || target.matches('input, select, textarea'))) return undefined
  const named = namedKeys[event.key]
  if (named !== undefined) return target?.closest('.maplibregl-map') ? undefined : named
  return letters ? letterKeys[event.key] : undefined
}
