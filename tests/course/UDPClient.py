"""The course's UDP client. UDPClient.py SERVER PORT TEXT"""
import sys
from socket import *

serverName, serverPort, message = sys.argv[1], int(sys.argv[2]), sys.argv[3]
clientSocket = socket(AF_INET, SOCK_DGRAM)
clientSocket.settimeout(5)
clientSocket.sendto(message.encode(), (serverName, serverPort))
modifiedMessage, serverAddress = clientSocket.recvfrom(2048)
print(modifiedMessage.decode())
clientSocket.close()
