// The map's colours, as WebGL needs them: in numbers, not in custom properties.
// They repeat theme/tokens.css; change both.
import { gradeClass, type Grade } from '../lib/incident'

export const base = {
  sea: '#0a1521',
  land: '#131a22',
  park: '#14241d',
  water: '#0d2234',
  coast: '#34526b',
  building: '#1d2732',
  buildingEdge: '#2a3644',
  street: '#2c3948',
  mainStreet: '#3d4e62',
  path: '#26313d',
  label: '#93a4b7',
  waterLabel: '#6d93b5',
  halo: '#0a0e13',
  premises: '#6f8195',
  premisesText: '#dbe4ee',
} as const

const grades: Record<string, string> = {
  immediate: '#ff7b6e',
  prompt: '#ffd166',
  scheduled: '#45c8a2',
  resolved: '#9aa8b8',
  ungraded: '#f3f6fa',
}

export function gradeColour(grade: Grade): string {
  return grades[gradeClass(grade)] ?? '#f3f6fa'
}
