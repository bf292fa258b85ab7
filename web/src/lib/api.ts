// Asking the server for JSON, with the failures in words an operator can act on.

/** The session has ended or may not see this: signing in again is the remedy. */
export class SignedOut extends Error {}

export async function getJSON(url: string, signal?: AbortSignal): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(url, {
      credentials: 'same-origin',
      headers: { Accept: 'application/json' },
      ...(signal ? { signal } : {}),
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new Error('The server cannot be reached.', { cause })
  }
  if (response.status === 401 || response.status === 403) {
    throw new SignedOut('You are signed out, or may not see this.')
  }
  if (!response.ok) throw new Error(await problem(response))
  return response.json()
}

/** The detail of an RFC 9457 problem, or the bare status where there is none. */
async function problem(response: Response): Promise<string> {
  const status = `The server answered ${response.status}.`
  try {
    const body: unknown = await response.json()
    if (typeof body === 'object' && body !== null) {
      const { detail, title } = body as { detail?: unknown; title?: unknown }
      if (typeof detail === 'string' && detail !== '') return `${status} ${detail}`
      if (typeof title === 'string' && title !== '') return `${status} ${title}`
    }
  } catch {
    // Not JSON: the status has to do.
  }
  return status
}
