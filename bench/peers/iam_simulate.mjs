// Takes one order a line: a workload to load, requests to answer, requests to time. Answers each with one line of JSON.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const { runSimulation } = createRequire(`${process.argv[2]}/package.json`)('@cloud-copilot/iam-simulate')

let simulations = []

const load = ({ policy, principal, account, requests }) => {
  simulations = requests.map(({ action, resource, context }) => ({
    identityPolicies: [{ name: 'policy', policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    request: { action, principal, resource: { accountId: account, resource }, contextVariables: context }
  }))
  return simulations.length
}

const answer = async (index) => {
  const result = await runSimulation(simulations[index], {})
  return result.overallResult ?? result.analysis?.result ?? result.resultType
}

const time = async (indices) => {
  const before = process.cpuUsage()
  for (const index of indices) await runSimulation(simulations[index], {})
  const used = process.cpuUsage(before)
  return (used.user + used.system) / indices.length
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  let reply
  if (order.policy) reply = load(order)
  else if (order.answer) {
    reply = []
    for (const index of order.answer) reply.push(await answer(index))
  } else reply = await time(order.time)
  process.stdout.write(JSON.stringify(reply) + '\n')
}
