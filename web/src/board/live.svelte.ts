// The board's live state: the list of incidents, kept fresh by the stream.
//
// The stream is opened first and the list is read after, so that nothing falls
// between them; versions decide which of two words about an incident is newer.
// Changes are gathered and applied once an animation frame.
import { getJSON, SignedOut } from '../lib/api'
import { byRank, isIncident, type Incident } from '../lib/incident'
import { ServerClock } from '../lib/time'

/** The stream ticks every few seconds; silence for this long means it is dead. */
const silence = 30_000
const retries = [1_000, 2_000, 5_000, 10_000, 20_000]
/** The list is read in pages, and no further than this many. */
const maxPages = 20

export interface Urls {
  incidents: string
  stream: string
}

export type Mark = 'new' | 'changed'

export class Live {
  /** The queue, most urgent first. Replaced as a whole at each change. */
  queue = $state.raw<readonly Incident[]>([])
  phase = $state<'loading' | 'ready' | 'failed'>('loading')
  failure = $state('')
  link = $state<'up' | 'lost'>('up')
  signedOut = $state(false)
  /** What nobody has looked at since it came or changed. */
  marks = $state.raw<ReadonlyMap<string, Mark>>(new Map())
  /** The server's time, told afresh each second. */
  now = $state(Date.now())
  speed = $state(1)

  /** Told of each batch of changes after it has been applied. */
  onchange: (changed: readonly Incident[], before: ReadonlyMap<string, Incident>) => void = () => undefined

  #urls: Urls
  #clock = new ServerClock()
  #known = new Map<string, Incident>()
  #pending = new Map<string, Incident>()
  /** What the stream has brought while the list is being read. */
  #meanwhile = new Map<string, Incident>()
  #stream: EventSource | undefined
  #loading: AbortController | undefined
  #frame = 0
  #retry = 0
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #watch: ReturnType<typeof setTimeout> | undefined

  constructor(urls: Urls) {
    this.#urls = urls
  }

  /** Connects, and returns what undoes it. */
  start(): () => void {
    const tick = setInterval(() => (this.now = this.#clock.now()), 1000)
    this.connect()
    return () => {
      clearInterval(tick)
      clearTimeout(this.#retryTimer)
      clearTimeout(this.#watch)
      cancelAnimationFrame(this.#frame)
      this.#loading?.abort()
      this.#stream?.close()
    }
  }

  /** Opens the stream anew; also what "Try again" does. */
  connect(): void {
    clearTimeout(this.#retryTimer)
    this.#stream?.close()
    const stream = new EventSource(this.#urls.stream)
    this.#stream = stream
    this.#listen()
    stream.addEventListener('open', () => {
      this.#listen()
      this.#retry = 0
      this.link = 'up'
      void this.#load()
    })
    stream.addEventListener('incident', (event) => {
      this.#listen()
      const incident = parse(event.data)
      if (isIncident(incident)) this.#take(incident)
    })
    stream.addEventListener('tick', (event) => {
      this.#listen()
      this.#setClock(parse(event.data))
    })
    stream.addEventListener('resync', () => {
      this.#listen()
      void this.#load()
    })
    stream.addEventListener('error', () => this.#lost())
  }

  /** Takes the mark off an incident that someone has looked at. */
  seen(id: string): void {
    if (!this.marks.has(id)) return
    const marks = new Map(this.marks)
    marks.delete(id)
    this.marks = marks
  }

  /** Notes that the stream spoke, and expects it to speak again. */
  #listen(): void {
    clearTimeout(this.#watch)
    this.#watch = setTimeout(() => this.#lost(), silence)
  }

  #lost(): void {
    this.#stream?.close()
    clearTimeout(this.#watch)
    clearTimeout(this.#retryTimer)
    this.link = 'lost'
    const wait = retries[Math.min(this.#retry++, retries.length - 1)] ?? 20_000
    this.#retryTimer = setTimeout(() => this.connect(), wait)
    // A stream says only that it failed; the list says why.
    void this.#load()
  }

  async #load(): Promise<void> {
    this.#loading?.abort()
    const loading = new AbortController()
    this.#loading = loading
    this.#meanwhile.clear()
    try {
      const listed = await this.#pages(loading.signal)
      this.#known = new Map(listed.map((incident) => [incident.id, incident]))
      // What the stream brought meanwhile may be newer than the list, or missing from it.
      for (const incident of this.#meanwhile.values()) {
        const known = this.#known.get(incident.id)
        if (known === undefined || known.version < incident.version) this.#known.set(incident.id, incident)
      }
      this.#order()
      this.phase = 'ready'
      this.failure = ''
      this.signedOut = false
    } catch (error) {
      if (loading.signal.aborted) return
      if (error instanceof SignedOut) this.signedOut = true
      this.failure = error instanceof Error ? error.message : String(error)
      if (this.phase !== 'ready') this.phase = 'failed'
    }
    if (this.#loading === loading) this.#loading = undefined
  }

  async #pages(signal: AbortSignal): Promise<Incident[]> {
    const found: Incident[] = []
    let url: string | undefined = this.#urls.incidents
    for (let page = 0; url !== undefined && page < maxPages; page++) {
      const answer = (await getJSON(url, signal)) as { items?: unknown; next?: unknown; now?: string; speed?: number }
      if (!Array.isArray(answer.items)) throw new Error('The server sent a list that is not one.')
      found.push(...answer.items.filter(isIncident))
      this.#setClock(answer)
      url = typeof answer.next === 'string' && answer.next !== '' ? this.#following(answer.next) : undefined
    }
    return found
  }

  #following(cursor: string): string {
    const url = new URL(this.#urls.incidents, location.href)
    url.searchParams.set('after', cursor)
    return url.href
  }

  #setClock(word: unknown): void {
    if (typeof word !== 'object' || word === null) return
    const { now, speed } = word as { now?: string; speed?: number }
    this.#clock.set(now, speed)
    this.now = this.#clock.now()
    this.speed = this.#clock.speed
  }

  #take(incident: Incident): void {
    const waiting = this.#pending.get(incident.id)
    if (waiting !== undefined && waiting.version >= incident.version) return
    this.#pending.set(incident.id, incident)
    if (this.#loading !== undefined) this.#meanwhile.set(incident.id, incident)
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#apply())
  }

  /** Applies what has gathered since the last frame. */
  #apply(): void {
    this.#frame = 0
    const before = new Map(this.#known)
    const marks = new Map(this.marks)
    const changed: Incident[] = []
    for (const incident of this.#pending.values()) {
      const known = this.#known.get(incident.id)
      if (known !== undefined && known.version >= incident.version) continue
      changed.push(incident)
      if (incident.state === 'closed') {
        this.#known.delete(incident.id)
        marks.delete(incident.id)
        continue
      }
      this.#known.set(incident.id, incident)
      marks.set(incident.id, known === undefined || marks.get(incident.id) === 'new' ? 'new' : 'changed')
    }
    this.#pending.clear()
    if (changed.length === 0) return
    this.marks = marks
    this.#order()
    this.onchange(changed, before)
  }

  #order(): void {
    this.queue = [...this.#known.values()].filter((i) => i.state !== 'closed').sort(byRank)
  }
}

function parse(data: unknown): unknown {
  if (typeof data !== 'string') return undefined
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
