// Small help for server-rendered pages, which work without it:
//
//   <body data-now="RFC 3339" data-speed="1">   the server's clock
//   <time datetime="…" data-age>4 min</time>    kept fresh
//   <form data-confirm="Close this incident?">  asks first, in a dialog
//   <form data-once>                            cannot be sent twice
import { age, ServerClock } from '../lib/time'

const clock = new ServerClock()
const { now, speed } = document.body.dataset
clock.set(now, speed === undefined ? undefined : Number(speed))

function refresh(): void {
  for (const stamp of document.querySelectorAll<HTMLTimeElement>('time[data-age]')) {
    const since = Date.parse(stamp.dateTime)
    if (Number.isNaN(since)) continue
    const words = age(clock.now() - since)
    if (stamp.textContent !== words) stamp.textContent = words
  }
}

/** Asks in the page's own dialog, which a keyboard can use; resolves to the answer. */
function ask(question: string, yes: string): Promise<boolean> {
  const dialog = document.createElement('dialog')
  dialog.className = 'dialog'
  const title = document.createElement('h2')
  title.id = 'confirm-title'
  title.textContent = question
  dialog.setAttribute('aria-labelledby', title.id)
  const form = document.createElement('form')
  form.method = 'dialog'
  form.className = 'dialog-body dialog-actions'
  for (const [value, label, style] of [
    ['', 'Cancel', 'button'],
    ['yes', yes, 'button primary'],
  ] as const) {
    const button = document.createElement('button')
    button.value = value
    button.textContent = label
    button.className = style
    form.append(button)
  }
  dialog.append(title, form)
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
  })
}

const confirmed = new WeakSet<HTMLFormElement>()

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement)) return
  const question = form.dataset['confirm']
  if (question !== undefined && !confirmed.has(form)) {
    event.preventDefault()
    const sender = event.submitter
    const label = sender?.textContent?.trim() || 'Yes'
    void ask(question, label).then((yes) => {
      if (!yes) return
      confirmed.add(form)
      form.requestSubmit(sender)
    })
    return
  }
  if (form.dataset['once'] !== undefined) {
    // After the browser has taken the form: a disabled button sends no value.
    setTimeout(() => form.querySelectorAll('button').forEach((button) => (button.disabled = true)))
  }
})

// Going back shows the page as it was left, with its buttons still disabled.
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return
  document.querySelectorAll<HTMLButtonElement>('form[data-once] button').forEach((button) => (button.disabled = false))
})

refresh()
setInterval(refresh, 1000)
