using './group.bicep'

// Deployment
param location = 'westeurope'
param ccePolicies = {
  node: 'cGFja2FnZSBwb2xpY3kKCmFwaV92ZXJzaW9uIDo9ICIwLjEwLjAiCmZyYW1ld29ya192ZXJzaW9uIDo9ICIwLjMuMCIK'
}
