// Ages and times of day. The server's clock rules: a browser's own may be
// wrong, and a demonstration runs faster than life.

/** Words for a span: "8 s", "4 min", "1 h 05", "14 h", "2 d". */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 10) return `${hours} h ${String(minutes % 60).padStart(2, '0')}`
  if (hours < 48) return `${hours} h`
  return `${Math.floor(hours / 24)} d`
}

/** The server's clock, carried on between the moments at which the server tells it. */
export class ServerClock {
  #base: number
  #at: number
  #speed: number

  constructor(now: number = Date.now(), speed: number = 1) {
    this.#base = now
    this.#at = performance.now()
    this.#speed = speed
  }

  /** Takes the server's word: now in RFC 3339, and how fast its time passes. */
  set(now: string | undefined, speed: number | undefined): void {
    const parsed = now === undefined ? NaN : Date.parse(now)
    if (Number.isNaN(parsed)) return
    this.#base = parsed
    this.#at = performance.now()
    if (speed !== undefined && Number.isFinite(speed) && speed > 0) this.#speed = speed
  }

  /** Milliseconds since 1970, by the server. */
  now(): number {
    return this.#base + (performance.now() - this.#at) * this.#speed
  }

  get speed(): number {
    return this.#speed
  }
}

/** A formatter for times in the force's zone; an unknown zone falls back to the browser's. */
export function formatter(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', zone === '' ? options : { ...options, timeZone: zone })
  } catch {
    return new Intl.DateTimeFormat('en-GB', options)
  }
}
