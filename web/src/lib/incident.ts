// The incident summary as the API and the live stream send it.

export type State = 'open' | 'acknowledged' | 'attending' | 'closed'
export type Grade = '' | 'immediate' | 'prompt' | 'scheduled' | 'resolved_without_deployment'

export interface Incident {
  id: string
  /** The reference people say aloud, "BL-2026-000123". */
  ref: string
  state: State
  grade: Grade
  kind: string
  title: string
  /** 0 to 100; the queue is ordered by it, highest first. */
  priority: number
  /** Why the incident stands where it stands, in words. */
  rank_reason: string
  /** RFC 3339. */
  opened: string
  updated: string
  place: { lat: number; lon: number; name: string; cell: string }
  premises: { id: string; name: string } | null
  alerts: number
  signals: number
  confirmed: boolean
  /** Grows by one with every change. */
  version: number
  /** The position in the log of the last change. */
  seq: number
  assigned: string
}

const gradeWords: Record<Grade, string> = {
  '': 'Not graded',
  immediate: 'Immediate',
  prompt: 'Prompt',
  scheduled: 'Scheduled',
  resolved_without_deployment: 'Resolved',
}

const stateWords: Record<State, string> = {
  open: 'Open',
  acknowledged: 'Acknowledged',
  attending: 'Attending',
  closed: 'Closed',
}

const kindWords: Record<string, string> = {
  intruder: 'Intruder',
  hold_up: 'Hold-up',
  network_attack: 'Network attack',
  fire: 'Fire',
  medical: 'Medical',
  tamper: 'Tamper',
  fault: 'Fault',
}

export const states = Object.keys(stateWords) as State[]

export function gradeName(grade: Grade): string {
  return gradeWords[grade] ?? grade
}

/** The class that colours a grade, in the theme and on the map alike. */
export function gradeClass(grade: Grade): string {
  if (grade === '') return 'ungraded'
  return grade === 'resolved_without_deployment' ? 'resolved' : grade
}

export function stateName(state: State): string {
  return stateWords[state] ?? state
}

/** Kinds grow with the rules: one that has no words yet is shown by its name. */
export function kindName(kind: string): string {
  const known = kindWords[kind]
  if (known !== undefined) return known
  const words = kind.replaceAll('_', ' ').trim()
  return words === '' ? 'Unknown' : words.charAt(0).toUpperCase() + words.slice(1)
}

/** The order of the queue: priority, then the one that has waited longest. */
export function byRank(a: Incident, b: Incident): number {
  if (a.priority !== b.priority) return b.priority - a.priority
  if (a.opened !== b.opened) return Date.parse(a.opened) - Date.parse(b.opened)
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

export function incidentPage(id: string): string {
  return `/incidents/${encodeURIComponent(id)}`
}

/** Whether a value from the network is an incident as far as the board relies on it. */
export function isIncident(value: unknown): value is Incident {
  if (typeof value !== 'object' || value === null) return false
  const v = value as Partial<Incident>
  return (
    typeof v.id === 'string' &&
    v.id !== '' &&
    typeof v.title === 'string' &&
    typeof v.kind === 'string' &&
    typeof v.state === 'string' &&
    typeof v.priority === 'number' &&
    typeof v.version === 'number' &&
    typeof v.opened === 'string'
  )
}

/** Whether an incident can be put on a map: a position of 0, 0 means "unknown". */
export function hasPlace(i: Incident): boolean {
  const p = i.place
  return (
    p != null && Number.isFinite(p.lat) && Number.isFinite(p.lon) && Math.abs(p.lat) <= 90 && (p.lat !== 0 || p.lon !== 0)
  )
}
