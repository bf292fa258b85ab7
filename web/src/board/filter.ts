// Which incidents of the queue to show.
import { gradeClass, gradeName, kindName, type Incident } from '../lib/incident'

export interface Filter {
  text: string
  state: string
  kind: string
  /** A grade's class ("ungraded", "immediate" ...); empty for all. */
  grade: string
}

export function emptyFilter(): Filter {
  return { text: '', state: '', kind: '', grade: '' }
}

export function isEmpty(f: Filter): boolean {
  return f.text.trim() === '' && f.state === '' && f.kind === '' && f.grade === ''
}

/** Each word of the text must occur somewhere in what the row says. */
export function matches(f: Filter, i: Incident): boolean {
  if (f.state !== '' && i.state !== f.state) return false
  if (f.kind !== '' && i.kind !== f.kind) return false
  if (f.grade !== '' && gradeClass(i.grade) !== f.grade) return false
  const words = f.text.toLocaleLowerCase('en-GB').split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const said = [
    i.ref,
    i.title,
    kindName(i.kind),
    gradeName(i.grade),
    i.place?.name,
    i.premises?.name,
    i.rank_reason,
    i.assigned,
  ]
    .join('\n')
    .toLocaleLowerCase('en-GB')
  return words.every((word) => said.includes(word))
}
