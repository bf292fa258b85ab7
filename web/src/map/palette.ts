// The map's colours, as WebGL needs them: in numbers, not in custom properties.
// They repeat theme/tokens.css; change both.
import { gradeClass, type Grade } from '../lib/incident'

export const base = {
  sea: '#0a1726',
  land: '#161e27',
  park: '#16291f',
  water: '#0e273e',
  coast: '#34526b',
  beach: '#2a2c26',
  building: '#202b37',
  buildingEdge: '#2e3b4a',
  street: '#2c3948',
  mainStreet: '#3d4e62',
  path: '#26313d',
  label: '#93a4b7',
  waterLabel: '#6d93b5',
  halo: '#0a0e13',
  rank: '#ffffff',
  premises: '#6f8195',
  cluster: '#222e3b',
  clusterText: '#8496aa',
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
