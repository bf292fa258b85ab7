// What a screen reader hears: new immediate incidents, and no more often than
// one can listen.
import type { Incident } from '../lib/incident'

const pause = 5_000

export class Announcer {
  /** The words of the polite live region. */
  words = $state('')

  #waiting: Incident[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Tells of the incidents among changed that have just become immediate. */
  tell(changed: readonly Incident[], before: ReadonlyMap<string, Incident>): void {
    for (const incident of changed) {
      if (incident.grade !== 'immediate' || incident.state === 'closed') continue
      if (before.get(incident.id)?.grade !== 'immediate') this.#waiting.push(incident)
    }
    if (this.#waiting.length > 0 && this.#timer === undefined) this.#speak()
  }

  #speak(): void {
    this.#timer = undefined
    const first = this.#waiting[0]
    if (first === undefined) return
    const what = `${first.title}, ${first.place.name}`
    this.words =
      this.#waiting.length === 1
        ? `Immediate: ${what}.`
        : `${this.#waiting.length} incidents are now immediate. The first: ${what}.`
    this.#waiting = []
    this.#timer = setTimeout(() => this.#speak(), pause)
  }
}
